import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';

/** Of the tests and all that runs outside of the window: read once, with one set of types for all of its files. */
const typesOutside = {
  parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname },
};

/** `build/check.mjs` has what is in .svelte files read once as well; where it is not asked to, each is read when its turn comes. */
const typesOfWindow = {
  parserOptions: {
    project: './tsconfig.renderer.json',
    tsconfigRootDir: import.meta.dirname,
    extraFileExtensions: ['.svelte'],
    parser: ts.parser,
  },
};

export default ts.config(
  { ignores: ['out', 'dist', 'node_modules', 'test/.artifacts', 'test/canary', '**/*.mjs', '**/*.js'] },
  { files: ['**/*.ts'], extends: [...ts.configs.strictTypeChecked], languageOptions: typesOutside },
  { files: ['renderer/**/*.ts'], languageOptions: typesOfWindow },
  ...svelte.configs.recommended.map((config) => ({ ...config, files: ['**/*.svelte'] })),
  {
    files: ['**/*.svelte'],
    extends: [...ts.configs.strictTypeChecked.map(({ languageOptions: _, ...config }) => config)],
    languageOptions: typesOfWindow,
  },
  {
    files: ['**/*.ts', '**/*.svelte'],
    rules: {
      eqeqeq: 'error',
      'prefer-const': 'error',
      'no-var': 'error',
      'no-console': 'error',
      'max-lines': ['error', { max: 500, skipBlankLines: false, skipComments: false }],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  { files: ['**/*.svelte'], rules: { 'prefer-const': 'off', 'svelte/no-at-html-tags': 'error' } },
  {
    files: ['test/**/*.ts', '*.config.ts', 'build/**/*.ts'],
    rules: {
      'no-restricted-syntax': 'off',
      'no-console': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
);
