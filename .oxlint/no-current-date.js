/**
 * `new Date()` and `Date()` read the machine's clock; `new Date(milliseconds)` only converts and stays allowed.
 * The rule "no-restricted-properties" sees `Date.now()`, but not these two.
 */
const noCurrentDate = {
  create(context) {
    const report = (node) =>
      context.report({
        node,
        message: 'Only core/clock.ts asks for the time; take a Clock as an argument.',
      });
    const isDate = (callee) => callee.type === 'Identifier' && callee.name === 'Date';
    return {
      NewExpression(node) {
        if (isDate(node.callee) && node.arguments.length === 0) report(node);
      },
      CallExpression(node) {
        if (isDate(node.callee)) report(node);
      },
    };
  },
};

export default {
  meta: { name: 'coatcheck' },
  rules: { 'no-current-date': noCurrentDate },
};
