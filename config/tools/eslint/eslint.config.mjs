// Our rules, whatever the target says. The plugins are beside eslint, not beside this file.
import { createRequire } from 'node:module';

const require = createRequire(process.env.PROCTOR_TOOL_DIR + '/');
const security = require('eslint-plugin-security');
const noUnsanitized = require('eslint-plugin-no-unsanitized');

export default [
  // By default both are passed over without a word.
  { ignores: ['!**/node_modules/', '!**/.git/'] },
  {
    // Without it .jsx is passed over.
    files: ['**/*.{js,cjs,mjs,jsx}'],
    languageOptions: {
      ecmaVersion: 'latest',
      parserOptions: { ecmaFeatures: { jsx: true } },
    },
    linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'off' },
    plugins: { security, 'no-unsanitized': noUnsanitized },
    rules: {
      ...security.configs.recommended.rules,
      ...noUnsanitized.configs.recommended.rules,
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'no-new-func': 'error',
      'no-script-url': 'error',
    },
  },
];
