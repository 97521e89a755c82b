import { readFileSync, statSync } from 'node:fs';
import { SettingsError } from '../core/errors.ts';

/** A picture to show beside the name, with its size in the header of the page: room is kept for it before it is there. */
export interface Logo {
  readonly name: string;
  readonly type: string;
  readonly content: Buffer;
  readonly width: number;
  readonly height: number;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Bytes. It is a part of every first visit. */
const LARGEST = 100_000;

/** The room in the header, in CSS pixels. */
const ROOM: Size = { width: 128, height: 32 };

/** By what a file is, not by what it is called: how it begins, and where its size is. */
const KINDS = [
  { name: 'logo.png', type: 'image/png', size: pngSize },
  { name: 'logo.webp', type: 'image/webp', size: webpSize },
  { name: 'logo.svg', type: 'image/svg+xml', size: svgSize },
] as const;

/** The file of `BRAND_LOGO_FILE`. @throws {SettingsError} when it cannot be read, is too large, or no such picture */
export function readLogo(file: string): Logo {
  const content = read(file);
  for (const { name, type, size } of KINDS) {
    const own = size(content);
    if (own === undefined) continue;
    if (!(own.width > 0 && own.height > 0)) {
      throw problem(`is a picture without a size: an SVG needs a viewBox, or a width and a height`);
    }
    return { name, type, content, ...fitted(own) };
  }
  throw problem('must be an SVG, PNG or WebP picture, by what is in it');
}

function read(file: string): Buffer {
  try {
    const { size } = statSync(file);
    if (size > LARGEST) throw problem(`has ${size} bytes: a logo may have ${LARGEST}`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    throw problem(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function problem(text: string): SettingsError {
  return new SettingsError([`BRAND_LOGO_FILE ${text}`]);
}

/** As large as there is room for, in its own proportions. */
function fitted({ width, height }: Size): Size {
  const scale = Math.min(ROOM.width / width, ROOM.height / height);
  const scaled = (length: number) => Math.max(1, Math.round(length * scale));
  return { width: scaled(width), height: scaled(height) };
}

/** PNG, third edition, sections 5.2 and 11.2.1: the header is the first chunk. */
function pngSize(bytes: Buffer): Size | undefined {
  if (bytes.length < 24 || bytes.toString('latin1', 0, 8) !== '\x89PNG\r\n\x1a\n') return undefined;
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

/** RFC 9649, section 2: one of three chunks comes first, each with the size in a form of its own. */
function webpSize(bytes: Buffer): Size | undefined {
  const isWebp =
    bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP';
  if (!isWebp || bytes.length < 30) return undefined;
  switch (bytes.toString('latin1', 12, 16)) {
    case 'VP8X':
      return { width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
    case 'VP8L': {
      const packed = bytes.readUInt32LE(21);
      return { width: (packed & 0x3fff) + 1, height: ((packed >> 14) & 0x3fff) + 1 };
    }
    case 'VP8 ':
      return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
    default:
      return undefined;
  }
}

/** What may stand before the picture: a byte order mark, an XML declaration, a document type, comments. */
const SVG =
  /^\uFEFF?(?:\s|<\?[^>]*\?>|<!--(?:(?!-->)[\s\S])*-->|<!DOCTYPE svg[^>[]*>)*<svg(\s[^>]*)>/;

/** The proportions of an SVG: its `viewBox`, or its `width` and `height` (SVG 2, section 8). */
function svgSize(bytes: Buffer): Size | undefined {
  const attributes = SVG.exec(bytes.toString('utf8'))?.[1];
  if (attributes === undefined) return undefined;
  const of = (name: string) =>
    new RegExp(String.raw`\s${name}\s*=\s*["']([^"']*)["']`).exec(attributes)?.[1] ?? '';
  const [, , boxWidth, boxHeight] = of('viewBox')
    .trim()
    .split(/[\s,]+/);
  return {
    width: Number.parseFloat(boxWidth ?? of('width')),
    height: Number.parseFloat(boxHeight ?? of('height')),
  };
}
