import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { SettingsError } from '../../core/errors.ts';
import { readLogo } from '../../views/logo.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { png, webp } from '../support/pictures.ts';

const SVG = 'xmlns="http://www.w3.org/2000/svg"';

describe('BRAND_LOGO_FILE', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  before(() => (directory = temporaryDirectory()));
  after(() => directory[Symbol.dispose]());

  function read(content: string | Buffer) {
    const file = join(directory.path, 'a-logo-without-an-ending');
    writeFileSync(file, content);
    return readLogo(file);
  }

  function refusal(file: string): string {
    try {
      readLogo(file);
      return '';
    } catch (error) {
      if (error instanceof SettingsError) return error.problems.join();
      throw error;
    }
  }

  function refused(content: string | Buffer): string {
    const file = join(directory.path, 'no-logo');
    writeFileSync(file, content);
    return refusal(file);
  }

  it('ends a comment at its first end, however many there are', () => {
    const hidden = `<!-- --><html><!-- --><svg ${SVG} viewBox="0 0 1 1">`;
    const many = `${'<!-- -->'.repeat(10_000)}<svg>`; // looked at in every combination, it would never end
    for (const content of [hidden, many]) expect(refused(content)).to.include('must be an SVG');
  });

  it('is what is in it, whatever its name, and gets as much room as fits its proportions', () => {
    for (const [content, type, width, height] of [
      [png(64, 64), 'image/png', 32, 32],
      [png(400, 100), 'image/png', 128, 32],
      [png(800, 100), 'image/png', 128, 16],
      [png(10, 40), 'image/png', 8, 32],
      [webp('VP8 '), 'image/webp', 96, 32],
      [webp('VP8L'), 'image/webp', 96, 32],
      [webp('VP8X'), 'image/webp', 96, 32],
      [`<svg ${SVG} viewBox="0 0 20 10"/>`, 'image/svg+xml', 64, 32],
      [`<svg viewBox='0,0,20,10' ${SVG} width="1"></svg>`, 'image/svg+xml', 64, 32],
      [`<svg ${SVG} width="40px" height="20"></svg>`, 'image/svg+xml', 64, 32],
      [
        `\uFEFF<?xml version="1.0"?>\n<!-- <svg> -->\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x">\n<svg ${SVG} viewBox="0 0 1 1">`,
        'image/svg+xml',
        32,
        32,
      ],
    ] as const) {
      expect(read(content)).to.include({ type, width, height });
    }
  });

  it('is refused when it is no picture that pages can show', () => {
    const html = '<!doctype html><svg viewBox="0 0 1 1"></svg>';
    for (const content of ['', 'x', 'GIF89a', 'svg', html, '<html><svg viewBox="0 0 1 1">']) {
      expect(refused(content), content).to.equal(
        'BRAND_LOGO_FILE must be an SVG, PNG or WebP picture, by what is in it',
      );
    }
    for (const cut of [png(9, 9).subarray(0, 20), webp('VP8L').subarray(0, 20)]) {
      expect(refused(cut)).to.include('must be an SVG, PNG or WebP picture');
    }
  });

  it('is refused when it has no size to keep room for', () => {
    for (const content of [
      `<svg ${SVG}></svg>`,
      `<svg ${SVG} viewBox="0 0 0 0"></svg>`,
      `<svg ${SVG} viewBox="x"></svg>`,
      `<svg ${SVG} width="100%" height="auto"></svg>`,
      png(0, 10),
    ]) {
      expect(refused(content)).to.include('without a size');
    }
  });

  it('is refused when it is too large', () => {
    expect(refused(Buffer.concat([png(9, 9), Buffer.alloc(100_000)]))).to.match(
      /^BRAND_LOGO_FILE has 100\d\d\d bytes: a logo may have 100000$/,
    );
  });

  it('is refused when it is not there, or no file', () => {
    const folder = join(directory.path, 'folder');
    mkdirSync(folder);
    for (const file of [join(directory.path, 'missing.svg'), folder]) {
      expect(refusal(file)).to.match(/^BRAND_LOGO_FILE cannot be read: /);
    }
  });
});
