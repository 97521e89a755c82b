import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

interface Finding {
  code: string;
  filename: string;
  labels: { span: { line: number } }[];
}

/**
 * A directory with the repository's own lint settings and nothing but the given files to look at.
 * Files that break the rules on purpose must not lie in the repository, where other tools would trip over them.
 */
export class LintedTree {
  readonly #directory: string;
  readonly #findings: readonly Finding[];

  private constructor(directory: string, findings: readonly Finding[]) {
    this.#directory = directory;
    this.#findings = findings;
  }

  /** @param files path in the tree → source */
  static async of(files: ReadonlyMap<string, string>): Promise<LintedTree> {
    const directory = await mkdtemp(join(tmpdir(), 'coatcheck-lint-'));
    for (const settings of ['.oxlintrc.json', '.oxlint', 'tsconfig.json', 'package.json']) {
      await cp(settings, join(directory, settings), { recursive: true });
    }
    await symlink(join(process.cwd(), 'node_modules'), join(directory, 'node_modules'));
    for (const [file, source] of files) {
      await mkdir(dirname(join(directory, file)), { recursive: true });
      await writeFile(join(directory, file), source);
    }
    return new LintedTree(directory, await lint(directory));
  }

  /** The lines of a file, counted from 1, at which a rule speaks up. */
  lines(rule: string, file: string): number[] {
    return this.#findings
      .filter((finding) => finding.code === rule && finding.filename === file)
      .flatMap((finding) => finding.labels.slice(0, 1).map((label) => label.span.line))
      .toSorted((a, b) => a - b);
  }

  async remove(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** The command of the script "check", but for the format. Its exit code says no more than the list does. */
async function lint(directory: string): Promise<Finding[]> {
  const args = [join('node_modules', 'oxlint', 'bin', 'oxlint'), '--format', 'json'];
  args.push('--ignore-pattern', 'node_modules'); // a link is not what .gitignore excludes
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { cwd: directory, maxBuffer: 2 ** 26 }, (_error, stdout) =>
      resolve(stdout),
    );
  });
  return (JSON.parse(output) as { diagnostics: Finding[] }).diagnostics;
}
