/** An element as a strict reader of XML 1.0 sees it. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
  text: string;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };
const FORBIDDEN = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;
const TOKEN = /<\/(\w+)>|<(\w+)((?: [\w-]+="[^"<]*")*)(\/?)>|([^<]+)/gy;

/** Reads the part of XML that reports need. @throws for what is not well-formed */
export function parseXml(document: string): Element {
  if (FORBIDDEN.test(document)) throw new SyntaxError('a character that XML cannot hold');
  const body = document.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n/, '').trimEnd();
  const root: Element = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  let read = 0;
  for (const [all, end, name, attributes = '', closed, text] of body.matchAll(TOKEN)) {
    read += all.length;
    const parent = open.at(-1) ?? root;
    if (text !== undefined) parent.text += unescaped(text);
    else if (end !== undefined) {
      if (open.pop()?.name !== end || open.length === 0) throw new SyntaxError(`</${end}>`);
    } else {
      const element = {
        name: name ?? '',
        attributes: attributesOf(attributes),
        children: [],
        text: '',
      };
      parent.children.push(element);
      if (closed === '') open.push(element);
    }
  }
  const [only] = root.children;
  if (
    read !== body.length ||
    open.length !== 1 ||
    root.children.length !== 1 ||
    only === undefined
  ) {
    throw new SyntaxError(`not well-formed after ${body.slice(Math.max(0, read - 40), read)}`);
  }
  return only;
}

function attributesOf(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/ ([\w-]+)="([^"]*)"/g)];
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, unescaped(value)]));
}

function unescaped(text: string): string {
  return text.replaceAll(/&(\w*)(;?)/g, (all, name: string, end: string) => {
    const sign = ENTITIES[name];
    if (sign === undefined || end === '') throw new SyntaxError(`the entity ${all}`);
    return sign;
  });
}

/** All elements of that name, at any depth. */
export function elements(of: Element, name: string): Element[] {
  return of.children.flatMap((child) => [
    ...(child.name === name ? [child] : []),
    ...elements(child, name),
  ]);
}
