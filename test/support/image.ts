import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from './command.ts';

/** One line of a Dockerfile, continued lines joined: `RUN`, and what follows it. */
export interface Instruction {
  readonly name: string;
  readonly value: string;
}

/** The instructions of a Dockerfile, comments left out. */
export function instructions(text: string): Instruction[] {
  return text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .flatMap((line) => {
      const [, name, value] = /^([A-Z]+)\s+(.*)$/.exec(line.trim()) ?? [];
      return name === undefined || value === undefined ? [] : [{ name, value: value.trim() }];
    });
}

/** The words of an instruction in exec form. @throws for a line that a shell would run */
export function words(value: string): string[] {
  const parsed: unknown = JSON.parse(value);
  if (!Array.isArray(parsed)) throw new Error(`not in exec form: ${value}`);
  return parsed.map(String);
}

/**
 * Which of these files a build would be sent, by the rules of .dockerignore: a pattern stands for what it names and all
 * that is beneath, and the last one that fits decides.
 */
export function buildContext(files: readonly string[], ignore: string): string[] {
  const rules = ignore
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ keep: line.startsWith('!'), pattern: asRegExp(line.replace(/^!/, '')) }));
  return files.filter((file) => rules.findLast(({ pattern }) => pattern.test(file))?.keep ?? true);
}

function asRegExp(pattern: string): RegExp {
  const source = pattern
    .split('**/')
    .map((part) => part.replaceAll(/[.+^${}()|[\]\\?]/g, String.raw`\$&`).replaceAll('*', '[^/]*'))
    .join('(?:.*/)?');
  return new RegExp(`^${source}(?:/|$)`);
}

/** What a Dockerfile of this repository makes, without an engine: the same files, commands and surroundings. */
export class Image {
  readonly root: string;
  readonly environment: Record<string, string> = {};
  #workdir = '/';
  readonly #context: string;

  /** @param root an empty directory that stands for the `/` of every stage: they have nothing in common but /app */
  constructor(root: string, context: string) {
    this.root = root;
    this.#context = context;
    mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
    copyFileSync(process.execPath, this.path('/usr/local/bin/node'));
    chmodSync(root, 0o755);
  }

  /** A path of the image as it is on this machine. */
  path(inside: string): string {
    return join(this.root, inside);
  }

  get workdir(): string {
    return this.path(this.#workdir);
  }

  build(file: readonly Instruction[]): void {
    for (const { name, value } of file) this.#step(name, value);
  }

  #step(name: string, value: string): void {
    if (name === 'WORKDIR') {
      this.#workdir = value;
      mkdirSync(this.workdir, { recursive: true });
    } else if (name === 'ENV') {
      for (const [, key = '', text = ''] of value.matchAll(/(\w+)=(\S+)/g)) {
        this.environment[key] = text.replace(':/', `:${this.root}/`);
      }
    } else if (name === 'COPY' && !value.startsWith('--from=')) {
      const [target = '', ...sources] = value.split(/\s+/).toReversed();
      for (const source of sources) {
        const [from, to] = [join(this.#context, source), join(this.workdir, target)];
        cpSync(from, target.endsWith('/') && source !== '.' ? join(to, source) : to, {
          recursive: true,
        });
      }
    } else if (name === 'RUN') {
      this.#run(value);
    }
  }

  #run(value: string): void {
    const asRoot = process.getuid?.() === 0;
    const command = value.replaceAll(/(?<=\s)\/data\b/g, this.path('/data'));
    const ours = asRoot ? command : command.replaceAll(/--(owner|group)=\d+/g, '');
    const { status, stderr } = spawnSync('sh', ['-euc', ours], {
      cwd: this.workdir,
      encoding: 'utf8',
      env: {
        PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
        HOME: process.env['HOME'] ?? '',
        npm_config_prefer_offline: 'true', // what `npm ci` has fetched before
      },
    });
    if (status !== 0) throw new Error(`${value}: ${stderr}`);
  }
}

/** Copies files of the repository, as a build gets them. */
export function copyContext(files: readonly string[], target: string): void {
  for (const file of files) {
    mkdirSync(join(target, dirname(file)), { recursive: true });
    copyFileSync(join(ROOT, file), join(target, file));
  }
}

/**
 * What runs a command as that user where nothing but one directory can be written, as `--read-only` with a volume does.
 * Needs root, and a kernel that lets it have mounts of its own.
 */
export function confined(user: string, writable: string): string[] {
  const [uid = '', gid = ''] = user.split(':');
  const mounts = `mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@"`;
  const nobody = ['setpriv', '--reuid', uid, '--regid', gid, '--clear-groups', '--no-new-privs'];
  return ['unshare', '--mount', 'sh', '-euc', mounts, writable, ...nobody, '--bounding-set=-all'];
}

export function canConfine(): boolean {
  if (process.getuid?.() !== 0) return false;
  const { status } = spawnSync('unshare', ['--mount', 'mount', '-o', 'remount,bind,ro', '/']);
  return status === 0;
}
