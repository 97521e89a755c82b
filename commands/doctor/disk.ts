import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { median, timed } from '../../storage/survey.ts';
import { databaseFile } from './files.ts';
import { type Finding, fine, note, orFine, wrong } from './finding.ts';
import type { Setup } from './setup.ts';

/** What statfs(2) calls file systems that are no disk of this machine (linux/magic.h). */
const NETWORK: Readonly<Record<number, string>> = {
  0x6969: 'NFS',
  0x517b: 'SMB',
  0xff534d42: 'CIFS',
  0xfe534d42: 'SMB',
  0x01021997: '9P',
  0x00c36400: 'Ceph',
  0x5346414f: 'AFS',
  0x01161970: 'GFS2',
  0x7461636f: 'OCFS2',
  0x786f4256: 'vboxsf',
};
const MEMORY: Readonly<Record<number, string>> = { 0x01021994: 'tmpfs', 0x858458f6: 'ramfs' };
const OVERLAY = 0x794c7630;
const FUSE = 0x65735546;

const MIB = 2 ** 20;

/** Bytes of room that are too few, and few. */
const TOO_FULL = 64 * MIB;
const FULL = 512 * MIB;

/** Milliseconds that a disk may take to write something for good: a median above is slow. */
const SLOW = 50;

/** The disk under SQLite's file. */
export interface Disk {
  readonly directory: string;
  /** Of statfs(2). */
  readonly type: number;
  /** Bytes. */
  readonly free: number;
  /** How long it took to write something and wait for the disk, several times, in milliseconds. */
  readonly writes: readonly number[];
}

/** Whether SQLite's file is on a disk that keeps it. */
export async function disk({ settings }: Setup): Promise<readonly Finding[]> {
  const file = databaseFile(settings.databaseUrl);
  return file === undefined
    ? [fine('The database is elsewhere.')]
    : diskFindings(await surveyDisk(existingParent(file)));
}

/** What there is to say of a disk. */
export function diskFindings(surveyed: Disk): readonly Finding[] {
  const { directory, free, writes } = surveyed;
  const time = median(writes);
  const findings = [...place(surveyed), ...room(surveyed), ...slowness(directory, time)];
  const megabytes = Math.floor(free / MIB);
  return orFine(
    findings,
    `${directory}: ${megabytes} MiB free, written in ${time.toFixed(1)} ms (median of ${writes.length}).`,
  );
}

function place({ directory, type }: Disk): Finding[] {
  const kind = type >>> 0; // some are negative as they come
  const [network, memory] = [NETWORK[kind], MEMORY[kind]];
  const local = 'DATABASE_URL=sqlite:<a path on a disk of this machine>, or postgres://…';
  if (network !== undefined) {
    return [
      wrong({
        what: `${directory} is on a network file system (${network}).`,
        why: "SQLite's locks do not hold there: two processes may damage the file, and a write that was answered may be lost.",
        change: local,
      }),
    ];
  }
  if (memory !== undefined) {
    return [
      wrong({
        what: `${directory} is in memory (${memory}).`,
        why: 'All users, keys and revoked tokens are gone with the next restart of the machine.',
        change: local,
      }),
    ];
  }
  if (kind === OVERLAY) {
    return [
      note({
        what: `${directory} is in the layer of a container (overlay).`,
        why: 'All users, keys and revoked tokens are gone with the container.',
        change: `docker run --volume coatcheck:${directory} …`,
      }),
    ];
  }
  if (kind === FUSE) {
    return [
      note({
        what: `${directory} is on a file system of a program (FUSE).`,
        why: "Whether SQLite's locks hold, and a write is on the disk, is for that program to say.",
        change: local,
      }),
    ];
  }
  return [];
}

function room({ directory, free }: Disk): Finding[] {
  if (free >= FULL) return [];
  const advice = {
    what: `${directory} has ${Math.floor(free / MIB)} MiB left.`,
    why: 'When the disk is full, nobody can sign in or out, and no token can be revoked.',
    change: 'Make room there.',
  };
  return [free < TOO_FULL ? wrong(advice) : note(advice)];
}

function slowness(directory: string, time: number): Finding[] {
  if (time <= SLOW) return [];
  return [
    note({
      what: `A write in ${directory} takes ${time.toFixed(0)} ms to reach the disk.`,
      why: 'Each login and logout waits for it, one after the other.',
      change: 'DATABASE_URL=sqlite:<a path on a faster disk>, or postgres://…',
    }),
  ];
}

/** Writes a small file several times, waits for the disk each time, and deletes it. */
async function surveyDisk(directory: string): Promise<Disk> {
  const { type, bavail, bsize } = statfsSync(directory);
  return { directory, type, free: bavail * bsize, writes: await timedWrites(directory) };
}

async function timedWrites(directory: string): Promise<number[]> {
  const draft = join(directory, `.coatcheck-doctor-${randomBytes(6).toString('hex')}`);
  const file = openSync(draft, 'wx', 0o600);
  try {
    return await timed(async () => {
      writeSync(file, 'x');
      fsyncSync(file);
    });
  } finally {
    closeSync(file);
    unlinkSync(draft);
  }
}

/** The directory of the file, or of it the first one that is there: the start makes the rest. */
function existingParent(file: string): string {
  const directory = dirname(file);
  return existsSync(directory) ? directory : existingParent(directory);
}
