import { existsSync, readFileSync } from 'node:fs';
import { BlockList } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { z } from 'zod';
import { schema } from '../../config/settings-schema.ts';
import { ROOT } from '../support/command.ts';
import { instructions } from '../support/image.ts';

const text = readFileSync(join(ROOT, 'compose.yaml'), 'utf8');
const dockerfile = instructions(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));

/** Nothing else may be there: neither `privileged` nor `cap_add`. */
const Service = z.strictObject({
  image: z.string().optional(),
  build: z.union([z.string(), z.object({ dockerfile_inline: z.string() })]).optional(),
  user: z.string().optional(),
  read_only: z.boolean(),
  cap_drop: z.array(z.string()),
  security_opt: z.array(z.string()),
  restart: z.string(),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  env_file: z.string().optional(),
  command: z.string().optional(),
  depends_on: z.unknown().optional(),
  secrets: z.array(z.string()).optional(),
  shm_size: z.string().optional(),
  stop_grace_period: z.string().optional(),
  tmpfs: z.array(z.string()).optional(),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  networks: z.union([
    z.array(z.string()),
    z.record(z.string(), z.object({ ipv4_address: z.string() })),
  ]),
});
const Compose = z.object({
  services: z.record(z.string(), Service),
  networks: z.record(
    z.string(),
    z
      .object({
        internal: z.boolean(),
        ipam: z.object({ config: z.array(z.object({ subnet: z.string(), ip_range: z.string() })) }),
      })
      .partial(),
  ),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
});

describe('compose.yaml', () => {
  const { services, networks, secrets } = Compose.parse(parse(text, { merge: true }));
  const ours = Object.entries(services).filter(([, { image }]) => image === 'coatcheck');
  const user = dockerfile.find(({ name }) => name === 'USER')?.value;

  it('has two processes of the service, a balancer, PostgreSQL and Valkey', () => {
    expect(Object.keys(services).toSorted()).to.deep.equal(
      'coatcheck-1 coatcheck-2 postgres proxy valkey'.split(' '),
    );
    expect(ours).to.have.length(2);
    for (const [, { build }] of ours) expect(build).to.equal('.');
  });

  it('believes the proxy alone, whose address Docker gives to no other container', () => {
    const [range] = networks['front']?.ipam?.config ?? [];
    const fixed = services['proxy']?.networks;
    const address = fixed && !Array.isArray(fixed) ? fixed['front']?.ipv4_address : undefined;
    const isWithin = (cidr = '') => {
      const [base = '', bits = ''] = cidr.split('/');
      const list = new BlockList();
      list.addSubnet(base, Number(bits));
      return list.check(address ?? '');
    };
    expect([isWithin(range?.subnet), isWithin(range?.ip_range)]).to.deep.equal([true, false]);
    for (const [, { environment }] of ours) expect(environment['TRUST_PROXY']).to.equal(address);
  });

  for (const [name, service] of Object.entries(services)) {
    it(`${name} runs with nothing that it does not need, and says how it is`, () => {
      const runsAs = service.user ?? (service.image === 'coatcheck' ? user : undefined);
      expect(runsAs).to.match(/^[1-9]\d*:[1-9]\d*$/);
      expect(service.read_only).to.equal(true);
      expect(service.cap_drop).to.deep.equal(['ALL']);
      expect(service.security_opt).to.deep.equal(['no-new-privileges:true']);
      const checked =
        service.healthcheck !== undefined || // the Dockerfile has one
        (service.image === 'coatcheck' && dockerfile.some((one) => one.name === 'HEALTHCHECK'));
      expect(checked).to.equal(true);
    });

    it(`${name} comes from an image of a known version`, () => {
      if (service.image === 'coatcheck') return;
      const inline = typeof service.build === 'object' ? service.build.dockerfile_inline : '';
      const base = service.image ?? instructions(inline)[0]?.value;
      expect(base).to.match(/^[\w/]+:\d+(\.\d+)*-alpine$/);
    });
  }

  it('has no secret in it, and names files for them that are in neither repository nor image', () => {
    for (const { environment } of Object.values(services)) {
      for (const name of Object.keys(environment)) {
        expect(name).not.to.match(/(SECRET|PASSWORD|KEY|DATABASE_URL|STORE_URL)$/);
      }
    }
    const files = [
      ...Object.values(secrets).map(({ file }) => file),
      ...ours.map(([, { env_file: file = '' }]) => file),
    ];
    for (const file of files) expect(file).to.match(/^secrets\//);
    expect(readFileSync(join(ROOT, '.gitignore'), 'utf8')).to.match(/^secrets\/$/m);
    const sent = /^!(.*)$/gm;
    const ignore = readFileSync(join(ROOT, '.dockerignore'), 'utf8');
    expect([...ignore.matchAll(sent)].map(([, path]) => path)).not.to.include('secrets');
  });

  it('sets settings that exist', () => {
    for (const [, { environment }] of ours) {
      expect(Object.keys(environment).filter((name) => !(name in schema))).to.deep.equal([]);
    }
  });

  it('lets the service believe the proxy, at its own address, and nobody else', () => {
    const places = services['proxy']?.networks ?? [];
    const address = Array.isArray(places) ? undefined : places['front']?.ipv4_address;
    for (const [, one] of ours) expect(one.environment['TRUST_PROXY']).to.equal(address);
    const upstreams = ours.map(([name]) => `${name}:3000`).join(' ');
    expect(services['proxy']?.environment['UPSTREAMS']).to.equal(upstreams);
    expect(dockerfile.filter(({ name }) => name === 'ENV').at(-1)?.value).to.include('PORT=3000');
  });

  it('opens the proxy to the world and nothing else, the stores not even to the proxy', () => {
    const open = Object.entries(services).filter(([, { ports }]) => ports.length > 0);
    expect(open.map(([name]) => name)).to.deep.equal(['proxy']);
    expect(networks['back']?.internal).to.equal(true);
    for (const name of ['postgres', 'valkey']) {
      expect(services[name]?.networks).to.deep.equal(['back']);
    }
  });

  it('mounts files that exist', () => {
    const mounted = Object.values(services).flatMap(({ volumes }) =>
      volumes.map((volume) => volume.replace(/:.*/, '')).filter((path) => path.startsWith('./')),
    );
    expect(mounted).to.deep.equal(['./deploy/Caddyfile']);
    for (const path of mounted) expect(existsSync(join(ROOT, path)), path).to.equal(true);
  });
});
