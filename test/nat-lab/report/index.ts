import { extent } from '../../fixtures/extent.ts'
import { Report } from './report.ts'

/**
 * The report of this run: `npm run test:nat -- --report` makes all measurements
 * whole and writes it
 */
export const report = new Report(extent === 'report', process.argv.some(arg => /^(-g|-f|--grep|--fgrep)$/.test(arg)))
export { drawMatrix } from './draw-matrix.ts'
export { drawNetwork } from './draw-network.ts'
export type { Cell, MatrixRow } from './draw-matrix.ts'
export type { Figure } from './report.ts'
