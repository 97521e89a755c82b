/** Stand-in for the user table of both peers: the fields of a Coatcheck user. */
export interface PeerUser {
  readonly id: string;
  readonly username: string;
  readonly name: string;
  readonly email: string;
  readonly roles: readonly string[];
}

/** A user with plausible values, so that the peers' tokens weigh about as much as Coatcheck's. */
export function peerUser(username: string): PeerUser {
  return {
    id: crypto.randomUUID(),
    username,
    name: 'Benchmark User',
    email: `${username}@example.test`,
    roles: ['reader'],
  };
}

/** Reads a variable that the benchmark sets when it starts a peer. */
export function fromBenchmark(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is missing: the benchmark starts this file`);
  return value;
}
