/** What a JSON text says, or `undefined` where it is none. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * `JSON.parse` would silently take the last of two; what else reads the request may take the first. Strings are
 * matched whole, so that what looks like a key inside of one is none; one before a colon is a key. One that never
 * ends takes all that is left: looking for the end from each of its quotes again would take seconds.
 */
export function doubledKey(json: string): string | undefined {
  const objects: Set<string>[] = [];
  for (const [token, key] of json.matchAll(
    /("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|".*|[{}]/gs,
  )) {
    if (token === '{') objects.push(new Set());
    else if (token === '}') objects.pop();
    if (key === undefined) continue;
    const name = unescaped(key);
    const keys = objects.at(-1);
    if (keys?.has(name)) return name.slice(0, 40);
    keys?.add(name);
  }
  return undefined;
}

/** `"user\u006eame"` is a way to write `"username"`. What is no JSON string is left to the parser to refuse. */
function unescaped(key: string): string {
  try {
    return String(JSON.parse(key));
  } catch {
    return key;
  }
}
