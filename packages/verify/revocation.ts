/** The claim `status.status_list` of a token (draft-ietf-oauth-status-list-21, section 6.2). */
export interface StatusReference {
  readonly idx: number;
  readonly uri: string;
}

/** Says of tokens with a good signature whether they have been revoked. */
export interface RevocationCheck {
  /**
   * Answers at once where it can. Only `false` lets a token through.
   * @param status `undefined` for a token that refers to no status list
   * @throws {UnavailableError} when it cannot know
   * @throws {TokenError} when the reference makes no sense
   */
  isRevoked(status: StatusReference | undefined): boolean | Promise<boolean>;
}
