import test from 'ava';
import { applyMapping, findMappingFault, presentObject } from '../../server/lib/mapping.ts';
import { fillTemplate, readTemplate, variablesOf } from '../../server/lib/template.ts';

const faults: [expression: string, character: number][] = [
  ['{a: user.name, a b}', 18],
  ['{a: user.', 10],
  ['foo(', 5],
  ['{a: nosuch(user)}', 5],
  ['{a # b}', 4],
  ["{a: 'open}", 5],
  ['{"a\\": user.id}', 2],
  ['user.name}}', 10],
  ['', 1],
];
for (const [expression, character] of faults) {
  test(`a faulty mapping is told with its position: ${expression || '(nothing)'}`, (t) =>
    t.regex(findMappingFault(expression) ?? '', new RegExp(`^not JMESPath at character ${character}: `)));
}

test('the place of a fault in the longest expression is found at once', (t) => {
  const started = performance.now();
  t.regex(findMappingFault(`{${'a: user.name, '.repeat(700)}a b}`) ?? '', /at character 9804/);
  t.true(performance.now() - started < 1000);
  t.regex(findMappingFault('a'.repeat(10_001)) ?? '', /10000 characters or fewer/);
});

test('security 184: a mapping reaches no prototype', (t) => {
  for (const expression of ['user.constructor', 'user.__proto__', 'constructor', 'user.toString', 'roles.length'])
    t.deepEqual(applyMapping(expression, { user: { a: 1 }, roles: [] }), { ok: true, value: null }, expression);
});

test('absent fields are left out, also inside', (t) => {
  t.deepEqual(presentObject({ a: null, b: { c: null, d: 1 }, e: [] }), { b: { d: 1 }, e: [] });
  for (const value of [null, 'x', [1]]) t.is(presentObject(value), null);
});

test("QuickBlox's #{…} templates: variables, filling and reading", (t) => {
  t.deepEqual(variablesOf('a #{login} #{ password }'), ['login', 'password']);
  t.is(fillTemplate('#{login}:#{password}:#{email}', { login: '#{password}', password: 'p' }), '#{password}:p:');
  t.is(readTemplate('#{user.id}', { user: { id: 17 } }), '17');
  for (const template of ['#{user.name}', '#{user}', '#{user.constructor}', '#{user.list.0}'])
    t.is(readTemplate(template, { user: { list: [{}] } }), null, template);
});
