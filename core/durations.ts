const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

const UNIT_NAMES = [
  ['year', 31_536_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const;

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
  const names = UNIT_NAMES.slice(1, -1);
  const [name, size] = names.find(([, unit]) => seconds >= unit && seconds % unit === 0) ?? [
    'second',
    1,
  ];
  const count = seconds / size;
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

/**
 * How far away a moment is, in the two largest units: `in 5 hours 59 minutes`, `3 minutes 4 seconds ago`, `now`.
 * The token inspector's script says the same in the browser (views/assets/inspect.js).
 * @param seconds from now, negative for the past
 */
export function fromNow(seconds: number): string {
  let rest = Math.floor(Math.abs(seconds));
  if (rest === 0) return 'now';
  const first = UNIT_NAMES.findIndex(([, size]) => rest >= size);
  const words = UNIT_NAMES.slice(first, first + 2).flatMap(([name, size]) => {
    const count = Math.floor(rest / size);
    rest %= size;
    return count === 0 ? [] : [`${count} ${name}${count === 1 ? '' : 's'}`];
  });
  return seconds < 0 ? `${words.join(' ')} ago` : `in ${words.join(' ')}`;
}
