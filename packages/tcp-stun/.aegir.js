/** @type {import('aegir').PartialOptions} */
export default {
  dependencyCheck: {
    productionIgnorePatterns: ['/dist', '/test', '.aegir.js']
  }
}
