import { isUtf8 } from 'node:buffer';

/** A JSON object of which nothing else is known. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The JSON object that these bytes are, or `undefined`. What is not UTF-8 is none, nor what begins with a byte order mark,
 * which stays in the text and breaks it (RFC 8259, section 8.1).
 */
export function jsonObject(bytes: Uint8Array): JsonObject | undefined {
  if (!isUtf8(bytes)) return undefined; // a strict TextDecoder takes three times as long
  try {
    const { buffer, byteOffset, byteLength } = bytes;
    const value: unknown = JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString('utf8'));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Makes it, and all that is in it, unchangeable. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const name in value) {
    const part: unknown = value[name];
    if (typeof part === 'object') deepFreeze(part);
  }
  return Object.freeze(value);
}
