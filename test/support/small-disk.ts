import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file system that a test may fill. */
export interface SmallDisk extends Disposable {
  resize(size: string): void;
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives back what `fill` took. */
  empty(): void;
}

/**
 * Mounts a file system of that size, such as `4m`, in a directory: with the kernel's tmpfs, which root may do.
 * @returns `undefined` without the right to; with REQUIRE_SERVICES=1 that fails instead
 */
export function smallDisk(directory: string, size: string): SmallDisk | undefined {
  const run = (program: string, ...args: string[]) => spawnSync(program, args).status === 0;
  const options = (wanted: string) => `size=${wanted},mode=0700`;
  if (!run('mount', '-t', 'tmpfs', '-o', options(size), 'tmpfs', directory)) {
    if (process.env['REQUIRE_SERVICES'] === '1') throw new Error('a small disk cannot be mounted');
    return undefined;
  }
  const ballast = join(directory, 'ballast');
  return {
    resize: (wanted) => void run('mount', '-o', `remount,${options(wanted)}`, directory),
    fill() {
      for (let bytes = 2 ** 20; bytes >= 1; bytes = Math.floor(bytes / 2)) {
        while (fits(ballast, bytes));
      }
    },
    empty: () => rmSync(ballast, { force: true }),
    [Symbol.dispose]: () => void run('umount', '--lazy', directory),
  };
}

function fits(file: string, bytes: number): boolean {
  try {
    writeFileSync(file, Buffer.alloc(bytes), { flag: 'a' });
    return true;
  } catch {
    return false;
  }
}
