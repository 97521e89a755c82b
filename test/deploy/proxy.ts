import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { cleanEnvironment, ROOT, until } from '../support/command.ts';

/** Where everything is in one test. */
export interface Place {
  readonly directory: string;
  readonly http: number;
  readonly https: number;
  /** The ports of the two processes. */
  readonly services: readonly number[];
  readonly cert: string;
  readonly key: string;
}

export interface Proxy {
  readonly file: string;
  /** Its program, if it is on this machine. */
  find(): string | undefined;
  /** The arguments that make it run the file, with ports and paths of the test in place of those in it. */
  prepare(place: Place): { args: string[]; env?: Record<string, string> };
}

const shipped = (file: string) => readFileSync(join(ROOT, 'deploy', file), 'utf8');

function firstOf(...programs: string[]): string | undefined {
  return programs.find((name) => spawnSync(name, ['-h']).error === undefined);
}

export const nginx: Proxy = {
  file: 'nginx.conf',
  find: () => firstOf('nginx', '/usr/sbin/nginx'),
  prepare({ directory, http, https, services, cert, key }) {
    const site = shipped('nginx.conf')
      .replaceAll(/^ *listen \[::\].*\n/gm, '')
      .replaceAll('listen 80', `listen 127.0.0.1:${http}`)
      .replaceAll('listen 443', `listen 127.0.0.1:${https}`)
      .replace('127.0.0.1:3000', `127.0.0.1:${String(services[0])}`)
      .replace('127.0.0.1:3001', `127.0.0.1:${String(services[1])}`)
      .replace('/etc/ssl/coatcheck/fullchain.pem', cert)
      .replace('/etc/ssl/coatcheck/privkey.pem', key);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${directory}/${name};`,
    );
    const main = join(directory, 'nginx.conf');
    writeFileSync(
      main,
      [
        'daemon off;',
        'worker_processes 1;',
        ...(process.getuid?.() === 0 ? ['user root;'] : []), // the directory is for this user alone
        `pid ${directory}/pid;`,
        'error_log stderr;',
        'events {}',
        `http {\n${temporary.join('\n')}\naccess_log off;\n${site}\n}`,
      ].join('\n'),
    );
    return { args: ['-c', main, '-e', 'stderr'] };
  },
};

export const caddy: Proxy = {
  file: 'Caddyfile',
  find: () => firstOf('caddy'),
  prepare({ directory, http, https, services, cert, key }) {
    const file = join(directory, 'Caddyfile');
    const marker = 'reverse_proxy ';
    // what it would ask Let's Encrypt for
    writeFileSync(file, shipped('Caddyfile').replace(marker, `tls ${cert} ${key}\n\t${marker}`));
    return {
      args: ['run', '--adapter', 'caddyfile', '--config', file],
      env: {
        HTTP_PORT: String(http),
        HTTPS_PORT: String(https),
        UPSTREAMS: services.map((port) => `127.0.0.1:${port}`).join(' '),
        XDG_DATA_HOME: directory,
        XDG_CONFIG_HOME: directory,
      },
    };
  },
};

/** Runs a proxy with the file of deploy/ until the end of the block. */
export async function startProxy(
  proxy: Proxy,
  program: string,
  place: Place,
): Promise<AsyncDisposable> {
  const { args, env } = proxy.prepare(place);
  const child = spawn(program, args, {
    env: cleanEnvironment(env),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const closed = once(child, 'close');
  await until(() => accepts(place.https), child).catch((cause: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`the proxy did not start: ${said}`, { cause });
  });
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await closed;
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
