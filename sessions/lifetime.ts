/** How long sessions live, in seconds. */
export interface SessionLifetime {
  /** Ends a session that long after it was last used. */
  readonly idleTimeout: number;
  /** Ends a session that long after sign-in, however much it is used. */
  readonly lifetime: number;
}

/** The moments, in milliseconds since 1970, from which a session is no longer accepted. */
export interface SessionEnd {
  readonly idleExpiresAt: number;
  readonly expiresAt: number;
}

export function endOf(
  lifetime: SessionLifetime,
  createdAt: number,
  lastSeenAt: number,
): SessionEnd {
  const expiresAt = createdAt + lifetime.lifetime * 1000;
  return {
    idleExpiresAt: Math.min(lastSeenAt + lifetime.idleTimeout * 1000, expiresAt),
    expiresAt,
  };
}

/**
 * How old the stored "last seen" may get before it is written again, in milliseconds: a minute, or a tenth
 * of a short idle timeout, so that a session in use never idles out.
 */
export function lastSeenInterval({ idleTimeout }: SessionLifetime): number {
  return Math.min(60_000, idleTimeout * 100);
}
