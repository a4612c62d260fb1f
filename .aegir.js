/** @type {import('aegir').PartialOptions} */
export default {
  build: {
    // TCP is not for browsers
    bundle: false
  },
  test: {
    timeout: 60_000
  },
  dependencyCheck: {
    // not shipped
    productionIgnorePatterns: ['/bench', '/dist', '/fuzz', '/test', '.aegir.js'],
    ignore: [
      // itself, in the examples
      'libp2p-tcp-stun',
      // not imported: its binary runs the npm scripts
      'node',
      // CommonJS of their own kind, loaded by require
      '@msimerson/stun',
      'stun',
      // types only
      '@types/babel__core',
      // writes src/check/pb
      'protons'
    ]
  }
}
