const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/**
 * `15m` to 900: seconds. A number without a unit is refused, since one reader takes it for seconds and the
 * next for milliseconds.
 * @returns `undefined` for what is not a whole number and a unit
 */
export function parseDuration(text: string): number | undefined {
  const match = /^([1-9]\d{0,8})([smhd])$/.exec(text);
  const unit = UNITS[match?.[2] ?? ''];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}

/** 21600 to `6 hours`: in the largest unit that is whole. */
export function durationInWords(seconds: number): string {
  const names = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ] as const;
  const [name, size] = names.find(([, unit]) => seconds >= unit && seconds % unit === 0) ?? [
    'second',
    1,
  ];
  const count = seconds / size;
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
