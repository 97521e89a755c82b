/**
 * Every error code that an answer can carry, with its HTTP status and title (RFC 9457, section 3.1).
 * The list is closed: a client may switch over it.
 */
const PROBLEMS = {
  invalid_request: { status: 400, title: 'The request is not understood' },
  invalid_target: { status: 400, title: 'Unknown audience' },
  password_refused: { status: 400, title: 'Please choose another password' },
  wrong_password: { status: 400, title: 'The current password is wrong' },
  https_required: { status: 400, title: 'HTTPS is required' },
  invalid_credentials: { status: 401, title: 'Wrong username or password' },
  session_required: { status: 401, title: 'Please sign in' },
  token_required: { status: 401, title: 'A token is required' },
  invalid_token: { status: 401, title: 'The token is not accepted' },
  invalid_client: { status: 401, title: 'The client is not known' },
  cross_site_request: { status: 403, title: 'Refused: the request comes from another site' },
  not_found: { status: 404, title: 'There is nothing here' },
  method_not_allowed: { status: 405, title: 'That method is not supported here' },
  not_acceptable: { status: 406, title: 'Not available in that form' },
  username_taken: { status: 409, title: 'That username is taken' },
  email_taken: { status: 409, title: 'That e-mail address is in use' },
  request_timeout: { status: 408, title: 'Request Timeout' },
  headers_too_large: { status: 431, title: 'Request Header Fields Too Large' },
  payload_too_large: { status: 413, title: 'The request is too large' },
  unsupported_media_type: { status: 415, title: 'Unsupported content type' },
  too_many_attempts: { status: 429, title: 'Too many attempts' },
  internal_error: { status: 500, title: 'Something went wrong here' },
  overloaded: { status: 503, title: 'Too busy right now' },
  unavailable: { status: 503, title: 'Not available right now' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

export interface ProblemOptions {
  /** Headers that the answer must carry, such as `Allow` or `WWW-Authenticate`. */
  headers?: Readonly<Record<string, string>>;
  /** The field of the request that is to blame, for a form to point at. */
  field?: string;
  /** What really happened: for the log only, never for the answer. */
  cause?: unknown;
}

/**
 * An error with a public face. `detail` is what the caller may read;
 * everything else that is known about it belongs into `cause`, which only the log sees.
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly field: string | undefined;

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    const { status, title } = PROBLEMS[code];
    this.code = code;
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.headers = options.headers ?? (status === 503 ? { 'Retry-After': '5' } : {});
    this.field = options.field;
  }
}

/** One sentence for unknown, wrong and disabled. */
export function wrongCredentials(): Problem {
  return new Problem(
    'invalid_credentials',
    'There is no user with that name and password who may sign in.',
  );
}

/** A token that was presented and is not accepted (RFC 6750, section 3.1). */
export function invalidToken(detail: string): Problem {
  const description = detail.replaceAll('"', "'");
  const headers = {
    'WWW-Authenticate': `Bearer error="invalid_token", error_description="${description}"`,
  };
  return new Problem('invalid_token', detail, { headers });
}

export interface StorageErrorOptions extends ErrorOptions {
  /** See `StorageError.passes`. */
  passes?: boolean;
}

/** A store that is away, locked, full or damaged: 503 for a request, a clear sentence for an operator. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  /** Whether it may be over soon by itself, as with a server that is still starting: whoever starts up waits for it. */
  readonly passes: boolean;

  constructor(message: string, { passes = false, ...options }: StorageErrorOptions = {}) {
    super(message, options);
    this.passes = passes;
  }
}

/** Settings that cannot be used: the command line ends with exit code 78 (`EX_CONFIG` of sysexits.h). */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    const lines = problems.map((line) => `  - ${line}`);
    super(`The settings cannot be used:\n${lines.join('\n')}`, options);
    this.problems = problems;
  }
}
