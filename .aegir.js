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
    ignore: [
      // not imported: its binary runs the npm scripts
      'node',
      // writes src/check/pb
      'protons'
    ]
  }
}
