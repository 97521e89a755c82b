import { expect } from 'chai';
import type { Router } from 'express';
import { authRoutes } from '../../routes/auth.ts';
import { operationsRoutes } from '../../routes/operations.ts';
import { pageRoutes } from '../../routes/pages.ts';
import { startApp } from '../support/app.ts';
import { PATHS } from '../support/routes.ts';

describe('The list of routes for the fuzz tests', () => {
  it('names every route of the app', async () => {
    await using app = await startApp();
    const routers = [authRoutes, pageRoutes, operationsRoutes].map((make) => make(app.services));
    expect(PATHS).to.have.members(routers.flatMap(pathsOf));
  });
});

function pathsOf({ stack }: Router): string[] {
  return stack.map(({ route }) => route?.path ?? '(a step for several routes)');
}
