# The service for production: Node, what it needs at run time, and no code of the bypass. Built from what .dockerignore
# lets through. See docs/operations.md.

FROM node:24.21.0-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY . ./

FROM node:24.21.0-trixie-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATABASE_URL=sqlite:/data/coatcheck.db
COPY --from=build /app /app
# For SQLite. A volume that is mounted here starts with this owner; with PostgreSQL nothing is written anywhere.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /data
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 3000
STOPSIGNAL SIGTERM
# Whether the process answers, not whether its database does: a restart would not bring that back.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "--eval", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Without a shell or npm in between, which would not hand on SIGTERM.
ENTRYPOINT ["node", "/app/bin/coatcheck.ts"]
CMD ["serve"]
