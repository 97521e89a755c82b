import { certificate } from './certificate.ts';
import { clocks } from './clocks.ts';
import { connections } from './connections.ts';
import { cookies } from './cookies.ts';
import { databaseDurability, databaseLatency, databaseVersion } from './database.ts';
import { disk } from './disk.ts';
import { fileModes } from './files.ts';
import type { Checks } from './finding.ts';
import { signingKeys } from './keys.ts';
import type { Machine } from './machine.ts';
import { https, inspector, logLevel, mode, registration } from './operation.ts';
import { proxy } from './proxy.ts';
import { redisDurability, redisLatency } from './redis.ts';
import { envFile, libraries, node, settingNames } from './runtime.ts';
import { secretReuse, secretStrength } from './secrets.ts';
import * as access from './service/access.ts';
import { cookies as serviceCookies } from './service/cookies.ts';
import { clock, keySet, metadata } from './service/documents.ts';
import { errors, noStore } from './service/errors.ts';
import { disclosure, headers } from './service/headers.ts';
import { transport } from './service/transport.ts';
import type { Visit } from './service/visit.ts';
import type { Setup } from './setup.ts';
import type { Stores } from './stores.ts';
import { algorithm, audience, lifetimes } from './tokens.ts';

/*
 * To add a check: write a function that takes the subject of one of these lists and answers what it has found (see
 * finding.ts), add a line here and a row to the table in the test beside the others.
 */

/** What is looked at even where the settings cannot be read. */
export const MACHINE_CHECKS: Checks<Machine> = {
  node,
  libraries,
  'setting names': settingNames,
  '.env': envFile,
};

/** What the settings say, and the files that they name. */
export const SETUP_CHECKS: Checks<Setup> = {
  mode,
  secrets: secretStrength,
  'secret reuse': secretReuse,
  algorithm,
  audience,
  lifetimes,
  cookies,
  https,
  proxy,
  certificate,
  connections,
  registration,
  inspector,
  log: logLevel,
  files: fileModes,
  disk,
};

/** The stores as they answer. */
export const STORE_CHECKS: Checks<Stores> = {
  database: databaseVersion,
  durability: databaseDurability,
  latency: databaseLatency,
  sessions: redisDurability,
  'session latency': redisLatency,
  clocks,
  keys: signingKeys,
};

/** A running service, from outside. */
export const SERVICE_CHECKS: Checks<Visit> = {
  transport,
  headers,
  disclosure,
  cookies: serviceCookies,
  'key set': keySet,
  metadata,
  clock,
  errors,
  'no-store': noStore,
  bypass: access.bypass,
  cors: access.cors,
  'cross-site': access.crossSite,
  names: access.names,
  operators: access.operators,
};
