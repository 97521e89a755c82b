/** `wrong` has to be mended, `note` is worth a look, `fine` says what was looked at. */
export type Verdict = 'wrong' | 'note' | 'fine';

/** What a check has found. No secret is ever in it. */
export interface Finding {
  readonly verdict: Verdict;
  /** What is so, as a sentence. */
  readonly what: string;
  /** Why it matters, as a sentence. */
  readonly why?: string;
  /** The requirement of OWASP ASVS 5.0.0 that it is about, where there is one for certain. */
  readonly asvs?: string;
  /** The line to change: a setting, a command, or a line of somebody else's configuration. */
  readonly change?: string;
}

/** A finding about which something can be done. */
export type Advice = Required<Pick<Finding, 'what' | 'why' | 'change'>> & Pick<Finding, 'asvs'>;

export const wrong = (advice: Advice): Finding => ({ verdict: 'wrong', ...advice });
export const note = (advice: Advice): Finding => ({ verdict: 'note', ...advice });
export const fine = (what: string): Finding => ({ verdict: 'fine', what });

/** What was found, or else what is said where there is nothing to find. */
export function orFine(findings: readonly Finding[], what: string): readonly Finding[] {
  return findings.length > 0 ? findings : [fine(what)];
}

/** Looks at one thing. @throws when it cannot be looked at: that is reported as wrong */
export type Check<Subject> = (subject: Subject) => readonly Finding[] | Promise<readonly Finding[]>;

/** Checks by their names, in the order of the report. */
export type Checks<Subject> = Readonly<Record<string, Check<Subject>>>;
