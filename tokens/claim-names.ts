/** What a name in a header or a payload stands for. */
export interface Meaning {
  readonly title: string;
  readonly says: string;
  /** Where it is defined. */
  readonly source: string;
  /** Whether its value is a time. */
  readonly time?: true;
}

const JWT = (section: string) => `RFC 7519, section ${section}`;
const JWS = (section: string) => `RFC 7515, section ${section}`;
const OIDC = (section: string) => `OpenID Connect Core 1.0, section ${section}`;
const HERE = 'this service';

/** Claims, by name: of the standards that this service follows, and those that others' tokens often have. */
export const CLAIMS: ReadonlyMap<string, Meaning> = new Map(
  Object.entries<Meaning>({
    iss: { title: 'Issuer', says: 'Who made the token.', source: JWT('4.1.1') },
    sub: {
      title: 'Subject',
      says: 'Whom it is about: the id of the user, which stays the same when names change.',
      source: JWT('4.1.2'),
    },
    aud: {
      title: 'Audience',
      says: 'Who may accept it. An API that is not named here has to refuse it.',
      source: JWT('4.1.3'),
    },
    exp: {
      title: 'Expires',
      says: 'From then on nobody may accept it.',
      source: JWT('4.1.4'),
      time: true,
    },
    nbf: {
      title: 'Not before',
      says: 'Until then nobody may accept it.',
      source: JWT('4.1.5'),
      time: true,
    },
    iat: { title: 'Issued', says: 'When it was made.', source: JWT('4.1.6'), time: true },
    jti: { title: 'Token id', says: 'Names this one token.', source: JWT('4.1.7') },
    sid: {
      title: 'Session',
      says: 'The session that was exchanged for it: its public id, not the value of the cookie.',
      source: 'OpenID Connect Front-Channel Logout 1.0, section 3',
    },
    auth_time: {
      title: 'Signed in',
      says: 'When the user signed in.',
      source: OIDC('2'),
      time: true,
    },
    amr: {
      title: 'How they signed in',
      says: '"pwd": with a password. "bypass": without one, in development.',
      source: 'RFC 8176, section 1; "bypass" is a word of this service',
    },
    status: {
      title: 'Status',
      says: 'Where to look up whether it was revoked: an entry of a list that anybody can fetch.',
      source: 'draft-ietf-oauth-status-list-21, section 6.2',
    },
    client_id: {
      title: 'Client',
      says: 'The app that the token was issued to.',
      source: 'RFC 9068, section 2.2',
    },
    scope: {
      title: 'Scope',
      says: 'What it may be used for, in words with blanks between them.',
      source: 'RFC 8693, section 4.2',
    },
    id: { title: 'User id', says: 'The same as the subject.', source: HERE },
    username: { title: 'Username', says: 'What the user signs in with.', source: HERE },
    name: { title: 'Name', says: 'How the user would like to be called.', source: OIDC('5.1') },
    email: { title: 'E-mail address', says: 'Of the user.', source: OIDC('5.1') },
    email_verified: {
      title: 'E-mail verified',
      says: 'Whether the issuer knows that the address is theirs.',
      source: OIDC('5.1'),
    },
    preferred_username: {
      title: 'Preferred username',
      says: 'A short name. It may change.',
      source: OIDC('5.1'),
    },
    roles: {
      title: 'Roles',
      says: 'What the user may do, as it was when the token was made.',
      source: 'RFC 9068, section 2.2.3.1',
    },
    groups: { title: 'Groups', says: 'Of the user.', source: 'RFC 9068, section 2.2.3.1' },
    nonce: {
      title: 'Nonce',
      says: 'Ties an ID token to the request for it.',
      source: OIDC('2'),
    },
    azp: { title: 'Authorized party', says: 'The app it was issued to.', source: OIDC('2') },
    acr: {
      title: 'Authentication class',
      says: 'How sure the issuer is of who signed in.',
      source: OIDC('2'),
    },
    at_hash: {
      title: 'Access token hash',
      says: 'Ties an ID token to an access token.',
      source: OIDC('3.1.3.6'),
    },
    cnf: {
      title: 'Confirmation',
      says: 'The key that the bearer has to prove to have. This service does not ask for it.',
      source: 'RFC 7800, section 3.1',
    },
    act: {
      title: 'Actor',
      says: 'Who acts for the subject.',
      source: 'RFC 8693, section 4.1',
    },
  }),
);

const OWN_KEY =
  'It would let whoever made the token choose the key that it is checked with. This service refuses such tokens and never fetches anything for them.';

/** Parameters of the header, by name. */
export const HEADER: ReadonlyMap<string, Meaning> = new Map(
  Object.entries<Meaning>({
    alg: {
      title: 'Algorithm',
      says: 'How it says that it was signed. What counts is the algorithm of the key.',
      source: JWS('4.1.1'),
    },
    typ: {
      title: 'Type',
      says: '"JWT", or "at+jwt" for an access token of RFC 9068. Nothing else passes for a token here.',
      source: JWT('5.1'),
    },
    kid: {
      title: 'Key id',
      says: 'Which key it says that it was signed with.',
      source: JWS('4.1.4'),
    },
    cty: {
      title: 'Content type',
      says: 'What the payload is; "JWT" means a token within a token.',
      source: JWT('5.2'),
    },
    crit: {
      title: 'Critical',
      says: 'Extensions that must be understood. This service knows none, and refuses the token.',
      source: JWS('4.1.11'),
    },
    jku: { title: 'Address of keys', says: OWN_KEY, source: JWS('4.1.2') },
    jwk: { title: 'A key', says: OWN_KEY, source: JWS('4.1.3') },
    x5u: { title: 'Address of a certificate', says: OWN_KEY, source: JWS('4.1.5') },
    x5c: { title: 'A certificate', says: OWN_KEY, source: JWS('4.1.6') },
    x5t: { title: 'Thumbprint', says: 'Of a certificate.', source: JWS('4.1.7') },
    'x5t#S256': {
      title: 'Thumbprint',
      says: 'Of a certificate, by SHA-256.',
      source: JWS('4.1.8'),
    },
    enc: {
      title: 'Encryption',
      says: 'How the content is encrypted. In a signed token it means nothing.',
      source: 'RFC 7516, section 4.1.2',
    },
    b64: {
      title: 'Unencoded payload',
      says: 'Whether the payload is base64url. Not used in tokens.',
      source: 'RFC 7797, section 3',
    },
  }),
);
