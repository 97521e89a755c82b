/** Milliseconds since 1970, where the caller brings no clock. */
export const systemNow = (): number => Date.now();
