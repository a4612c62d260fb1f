/** @type {import('aegir').PartialOptions} */
export default {
  dependencyCheck: {
    productionIgnorePatterns: ['/dist', '/test', '.aegir.js'],
    // loaded by their names, when they are needed
    ignore: []
  }
}
