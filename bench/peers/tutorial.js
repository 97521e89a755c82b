/**
 * The service as the tutorials build it. Its flaws are deliberate, because it is the thing compared
 * with: body parsers, session and passport run in front of everything, the key is a string, the
 * whole user is signed, sessions live in the memory of the process, and one variable alone would
 * guard the bypass. Do not mend them here, and do not copy them anywhere. Plain JavaScript as in the
 * tutorials, and because its idea of a user is not the one that Coatcheck teaches the compiler.
 */
import express from 'express';
import session from 'express-session';
import jsonwebtoken from 'jsonwebtoken';
import passport from 'passport';
import { fromBenchmark, peerUser } from './users.ts';

const users = new Map();

function findOrCreate(username) {
  const user = users.get(username) ?? peerUser(username);
  users.set(username, user);
  return user;
}

passport.serializeUser((user, done) => {
  done(null, user.username);
});

passport.deserializeUser((username, done) => {
  done(null, users.get(username) ?? false);
});

const app = express();
app.use(express.json());
app.use(express.urlencoded({ extended: false }));
app.use(
  session({
    secret: fromBenchmark('SESSION_SECRET'),
    resave: false,
    saveUninitialized: false,
  }),
);
app.use(passport.initialize());
app.use(passport.session());

const auth = express.Router();

auth.get('/bypass', (req, res, next) => {
  const { token } = req.query;
  const user = findOrCreate(typeof token === 'string' ? token : 'guest');
  req.login(user, (error) => {
    if (error) next(error);
    else res.json({ username: user.username });
  });
});

auth.get('/token', (req, res) => {
  if (!req.user) {
    res.status(401).send();
    return;
  }
  const token = jsonwebtoken.sign(req.user, fromBenchmark('JWT_SECRET_KEY'), { expiresIn: '6h' });
  res.json({ token });
});

app.use('/auth', auth);
app.listen(Number(fromBenchmark('PORT')), '127.0.0.1');
