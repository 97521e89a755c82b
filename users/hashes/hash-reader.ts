/** Whether a password is the one behind a hash. */
export type Check = (password: string) => Promise<boolean>;

/**
 * Reads a hash of one kind.
 * @returns how to check a password against it; in a sentence why it is not accepted; nothing if it is of another kind
 */
export type HashReader = (hash: string) => Check | string | undefined;

/** Bytes of a hash. With fewer, other passwords than the right one would match; none has more. */
const SHORTEST = 16;
const LONGEST = 64;

/** What is wrong with the length of a hash, or `undefined`. */
export function lengthProblem({ length }: Buffer): string | undefined {
  return length >= SHORTEST && length <= LONGEST
    ? undefined
    : `The password hash has ${length} bytes; ${SHORTEST} to ${LONGEST} are accepted.`;
}

/** Why a hash is not accepted that would keep a core busy for more than about a second. */
export function tooCostly(cost: string, most: string): string {
  return `Checking the password hash costs too much (${cost}); the most is ${most}.`;
}

/** Base64 with or without padding; as passlib writes it, with a dot for the plus, too. */
export function base64(text: string): Buffer {
  return Buffer.from(text.replaceAll('.', '+'), 'base64');
}
