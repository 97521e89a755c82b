/** An API that takes Coatcheck's tokens. It asks the service for its public keys, and never for a token's. */
import cors from 'cors';
import express from 'express';
import { requireRoles, requireToken } from '#verify'; // yours says '@coatcheck/verify'

const {
  ISSUER = 'http://localhost:3000',
  APP = 'http://localhost:5173',
  PORT = '4000',
} = process.env;

const orders = new Map([
  [1, 'One umbrella, wet'],
  [2, 'Two coats, one hat'],
  [3, 'A scarf that nobody came for'],
]);

const api = express();
api.disable('x-powered-by');
api.use(cors({ origin: APP, exposedHeaders: ['WWW-Authenticate'] }));
api.use(requireToken({ issuer: ISSUER, discovery: true, production: false }));

api.get('/orders', (req, res) => {
  const list = Array.from(orders, ([id, what]) => ({ id, what }));
  res.json({ of: req.token?.['username'], orders: list });
});

api.delete('/orders/:id', requireRoles('admin'), (req, res) => {
  res.sendStatus(orders.delete(Number(req.params['id'])) ? 204 : 404);
});

api.listen(Number(PORT), '127.0.0.1', () => {
  process.stdout.write(`http://localhost:${PORT}\n`);
});
