import pino, { type Logger } from 'pino';

/**
 * JSON lines on standard output. To a terminal they go at once; to a file or another process in blocks, at
 * least once a second and when the process ends, so that no request waits for its line to be written.
 */
export function createLog(level: string): Logger {
  const atOnce = process.stdout.isTTY;
  const destination = pino.destination({
    fd: 1,
    sync: atOnce,
    ...(atOnce ? {} : { minLength: 32_768, maxWrite: 65_536, periodicFlush: 1000 }),
  });
  return pino({ level }, destination);
}
