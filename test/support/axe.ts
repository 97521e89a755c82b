import axe from 'axe-core';
import type { Page } from 'playwright-core';

/** What axe-core finds on a page by all of its rules, good practice included: the rule and the elements. */
export async function barriers(page: Page): Promise<unknown> {
  await page.evaluate(axe.source);
  return page.evaluate(`axe.run(document).then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ target, any }) =>
      target.join(' ') + ' ' + any.map(({ message }) => message).join(' ')).join('; ')))`);
}
