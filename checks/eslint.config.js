// ESLint looks for mistakes and for habits that lead to them, not for layout.
//
// Rules that are left out on purpose:
// - consistent-return: a handler ends early with `return this.act()`, whose value nobody uses
//   (tsc knows where a value is missing).
// - no-await-in-loop: loops wait for one attempt before the next one on purpose.
// - no-promise-executor-return: `new Promise((resolve) => setTimeout(resolve))` is fine.
// - require-atomic-updates: reports assignments to event targets, which are no races.
import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["**/node_modules/"] },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  js.configs.recommended,
  {
    files: ["**/*.js"],
    languageOptions: { ecmaVersion: "latest", sourceType: "module", globals: globals.browser },
    rules: {
      "array-callback-return": "error",
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "no-constructor-return": "error",
      "no-duplicate-imports": "error",
      "no-else-return": "error",
      "no-eval": "error",
      "no-implicit-coercion": "error",
      "no-lonely-if": "error",
      "no-param-reassign": "error",
      "no-self-compare": "error",
      "no-shadow": "error",
      "no-template-curly-in-string": "error",
      "no-unmodified-loop-condition": "error",
      "no-unneeded-ternary": "error",
      "no-unreachable-loop": "error",
      "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
      "no-unused-vars": ["error", { varsIgnorePattern: "^_", argsIgnorePattern: "^_" }],
      "no-useless-assignment": "error",
      "no-useless-concat": "error",
      "no-useless-return": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-arrow-callback": "error",
      "prefer-const": "error",
      "prefer-object-spread": "error",
      "prefer-rest-params": "error",
      "prefer-template": "error",
      radix: "error",
    },
  },
  // The module is also the worker.
  { files: ["static/js/lib/proof.js"], languageOptions: { globals: globals.worker } },
  { files: ["**/*.test.js", "checks/**"], languageOptions: { globals: globals.node } },
];
