/** A moment on both clocks that a device has, in milliseconds. */
export interface Moment {
  /** Since some other moment. Nobody can set this clock, but it may stand still while the device sleeps. */
  readonly monotonic: number;
  /** Since 1970, as far as the device knows. */
  readonly wall: number;
}

export const now = (): Moment => ({ monotonic: performance.now(), wall: Date.now() });
