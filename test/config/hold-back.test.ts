import { expect } from 'chai';
import { createHoldBack } from '../../config/hold-back.ts';

describe('holding back', () => {
  it('waits, for as many at once as it is told and no more', async () => {
    const holdBack = createHoldBack(50, 2);
    const order: string[] = [];
    const one = async (name: string) => {
      await holdBack();
      order.push(name);
    };
    await Promise.all([one('first'), one('second'), one('one too many')]);
    expect(order[0]).to.equal('one too many');
    expect(order.slice(1)).to.have.members(['first', 'second']);
    await Promise.all([one('third'), one('fourth'), one('again one too many')]);
    expect(order[3], 'places are free again').to.equal('again one too many');
    expect(order.slice(4)).to.have.members(['third', 'fourth']);
  });
});
