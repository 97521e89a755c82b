/** Claims of the user that a token may carry: each is named here or cannot get in. */
export const USER_CLAIMS = ['id', 'username', 'name', 'email', 'roles'] as const;
export type UserClaim = (typeof USER_CLAIMS)[number];

/** What a token says of a user: picked field by field, so that nothing added to a user later leaks into tokens. */
export interface TokenUser {
  readonly id: string;
  readonly username: string;
  readonly name: string | null;
  readonly email: string | null;
  readonly roles: readonly string[];
}

/** What a token says of the session that was exchanged for it. */
export interface TokenSession {
  /** `sid`: never the cookie's value. */
  readonly publicId: string;
  readonly amr: string;
  /** Milliseconds since 1970; `auth_time`. */
  readonly createdAt: number;
  /** Milliseconds since 1970; no token outlives it. */
  readonly expiresAt: number;
  /** The entry of a status list that all tokens of the session share. */
  readonly status: { readonly list: string; readonly index: number };
}

/** The payload (RFC 7519, section 4.1, and OpenID Connect Core 1.0, section 2). Times are NumericDate. */
export interface Claims {
  iss: string;
  sub: string;
  aud?: string | string[];
  iat: number;
  exp: number;
  jti: string;
  sid: string;
  auth_time: number;
  amr: string[];
  /** Where to learn whether the token was revoked (draft-ietf-oauth-status-list-21, section 6.2). */
  status: { status_list: { idx: number; uri: string } };
  /** With `JWT_PROFILE=rfc9068`. */
  client_id?: string;
  id?: string;
  username?: string;
  name?: string;
  email?: string;
  roles?: readonly string[];
}

/**
 * The user's part of the claims: those of `include`, without the ones the user has no value for.
 * A user without roles has an empty list.
 */
export function userClaims(
  user: TokenUser,
  include: ReadonlySet<UserClaim>,
): Pick<Claims, UserClaim> {
  const claims: Pick<Claims, UserClaim> = {};
  if (include.has('id')) claims.id = user.id;
  if (include.has('username')) claims.username = user.username;
  if (include.has('name') && user.name !== null) claims.name = user.name;
  if (include.has('email') && user.email !== null) claims.email = user.email;
  if (include.has('roles')) claims.roles = user.roles;
  return claims;
}
