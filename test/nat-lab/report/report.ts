import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { markdownTable } from 'markdown-table'
import { LabError } from '../namespaces.ts'

const DOCS = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../../docs')

/**
 * A measured value and its target
 */
export interface Figure {
  title: string
  value: string
  target: string

  /**
   * Whether the target was reached
   */
  reached: boolean
}

/**
 * Writes the measured parts of the documents. Each is between two comments, the
 * rest of a document is written by hand.
 */
export class Report {
  /**
   * Whether this run measures everything, or only tests
   */
  public readonly isWhole: boolean

  constructor (isWhole: boolean) {
    this.isWhole = isWhole
  }

  /**
   * Print a table of figures, and write it into a document
   */
  async figures (document: string, section: string, figures: Figure[]): Promise<void> {
    await this.table(document, section, [
      ['what', 'measured', 'target', ''],
      ...figures.map(({ title, value, target, reached }) => [title, value, target, reached ? 'yes' : 'no'])
    ])
  }

  async table (document: string, section: string, rows: string[][]): Promise<void> {
    if (!this.isWhole) {
      return
    }

    const table = markdownTable(rows)
    process.stdout.write(`\n${table}\n\n`)
    await this.write(document, section, table)
  }

  /**
   * Replace what is between `<!-- report:section -->` and `<!-- /report:section -->`
   */
  async write (document: string, section: string, content: string): Promise<void> {
    if (!this.isWhole) {
      return
    }

    const file = path.join(DOCS, document)
    const text = await readFile(file, 'utf8')
    const [start, end] = [`<!-- report:${section} -->`, `<!-- /report:${section} -->`]

    if (!text.includes(start) || !text.includes(end)) {
      throw new LabError(`docs/${document} has no place for ${section}, between ${start} and ${end}`)
    }

    await writeFile(
      file,
      `${text.slice(0, text.indexOf(start) + start.length)}\n${content}\n${text.slice(text.indexOf(end))}`
    )
  }

  /**
   * Write a picture into the folder of the documents
   */
  async picture (name: string, svg: string): Promise<void> {
    if (this.isWhole) {
      await writeFile(path.join(DOCS, name), svg)
    }
  }
}
