/** @type {import('aegir').PartialOptions} */
export default {
  build: {
    // TCP is not for browsers
    bundle: false
  },
  lint: {
    files: [
      '*.{js,ts}',
      'bench/**/*.ts',
      'examples/**/*.js',
      'fuzz/**/*.ts',
      'packages/*/*.js',
      'scripts/*.js',
      'packages/*/{src,test}/**/*.ts',
      'src/**/*.ts',
      'test/**/*.ts',
      '!**/node_modules/**',
      '!**/pb/*.ts'
    ]
  },
  test: {
    timeout: 60_000
  },
  documentCheck: {
    inputFiles: ['README.md', 'docs/*.md', 'examples/*/README.md', 'packages/*/README.md']
  },
  dependencyCheck: {
    // not shipped
    productionIgnorePatterns: ['/bench', '/dist', '/fuzz', '/packages', '/scripts', '/test', '.aegir.js'],
    ignore: [
      // itself, in the examples
      'libp2p-tcp-stun',
      // of packages with a package.json of their own: the examples and the tool
      '@helia/libp2p',
      '@helia/unixfs',
      '@libp2p/bootstrap',
      '@libp2p/webrtc',
      '@libp2p/websockets',
      'express',
      'helia',
      'multiformats',
      // a script that runs in a page
      'axe-core',
      // not imported: their binaries run in the npm scripts
      'node',
      'publint',
      '@arethetypeswrong/cli',
      // CommonJS of their own kind, loaded by require
      '@msimerson/stun',
      'stun',
      // types only
      '@types/babel__core',
      // writes packages/tcp-stun/src/check/pb
      'protons'
    ]
  }
}
