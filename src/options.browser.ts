import type { TCPSTUNInit } from './index.ts'

/**
 * Bundlers for browsers and React Native load this file in place of `options.ts`.
 * No option makes a difference there: the transport throws when it is created.
 */
export function validateOptions (init: TCPSTUNInit): void {}
