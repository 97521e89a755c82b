import { expect } from 'chai';
import { parseInvocation, UsageError } from '../../bench/options.ts';
import { scaleFindings } from '../../bench/scale-report.ts';
import { withoutGenerator } from '../../bench/workers.ts';

const { options } = parseInvocation(['scale']);

function measured(stored: number, rates: number[], megabytes: number, start = 700) {
  const rest = {
    p50Milliseconds: 1,
    p99Milliseconds: 2,
    cpuMicroseconds: 100,
    generatorMicroseconds: 50,
    instructions: undefined,
  };
  const figures = rates.map((requestsPerSecond) => ({ requestsPerSecond, ...rest }));
  const startMilliseconds = [start, start, 9000];
  return { engine: 'sqlite', stored, bytes: stored * 900, figures, startMilliseconds, megabytes };
}

describe('what the benchmark of scale finds', () => {
  const judge = (...rows: Parameters<typeof scaleFindings>[0]) =>
    scaleFindings(rows, options).aims.map(({ met }) => met);

  it('compares the most sessions with the fewest, round by round', () => {
    // each round on a machine of another speed: the ratios of the rounds are 0.9, 0.8 and 0.86
    const [few, many] = [measured(10, [100, 1000, 500], 150), measured(99, [90, 800, 430], 150)];
    const { aims, text } = scaleFindings([many, few], options);
    expect(aims[0]).to.deep.include({ measured: 0.86, met: true });
    expect(text).to.contain('0.80–0.90');
    expect(judge(few, measured(99, [84, 840, 420], 150))).to.deep.equal([false, true, true]);
  });

  it('judges memory and start-up', () => {
    const few = measured(10, [1], 150);
    expect(judge(few, measured(99, [1], 171))).to.deep.equal([true, false, true]);
    expect(judge(few, measured(99, [1], 150, 2001))).to.deep.equal([true, true, false]);
  });
});

describe('the rate without the load generator', () => {
  const figures = { requestsPerSecond: 10_000, generatorMicroseconds: 40 }; // 0.4 cores

  it('is the measured one where there is a core for it', () => {
    expect(withoutGenerator(figures, 1, 2)).to.equal(10_000);
    expect(withoutGenerator(figures, 2, 3)).to.equal(10_000);
  });

  it('is higher by what it took from the workers', () => {
    expect(withoutGenerator(figures, 2, 2)).to.equal(12_500); // they had 1.6 of 2 cores
  });

  it('does not give back more than the workers lack', () => {
    expect(withoutGenerator(figures, 4, 2)).to.equal(12_500); // four of them on two cores
  });
});

describe('the options of benchmarks', () => {
  it('take sizes and engines, and refuse what is none', () => {
    const given = parseInvocation(['scale', '--stored', '5,70', '--engines', 'sqlite,redis']);
    expect(given.options.stored).to.deep.equal([5, 70]);
    expect(given.options.engines).to.deep.equal(['sqlite', 'redis']);
    expect(parseInvocation(['scale', '--quick']).options.stored).to.deep.equal([1000, 20_000]);
    for (const wrong of ['', '5,', '5,x', '1.5', '0']) {
      expect(() => parseInvocation(['scale', '--stored', wrong]), wrong).to.throw(UsageError);
    }
  });
});
