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

  /**
   * Whether only some tests are run, by `--grep`: then the other figures of a document stay
   */
  private readonly isPart: boolean

  constructor (isWhole: boolean, isPart: boolean) {
    this.isWhole = isWhole
    this.isPart = isPart
  }

  /**
   * Print a table of figures, and write it into a document. Without any the document stays
   * as it is: the tests were skipped.
   */
  async figures (document: string, section: string, figures: Figure[]): Promise<void> {
    if (figures.length === 0) {
      return
    }

    const rows = figures.map(({ title, value, target, reached }) => [title, value, target, reached ? 'yes' : 'no'])
    const others = this.isWhole && this.isPart ? await this.rowsOf(document, section) : []

    await this.table(document, section, [['what', 'measured', 'target', ''], ...replaceRows(others, rows)])
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

    const { file, before, after } = await this.find(document, section)

    await writeFile(file, `${before}\n${content}\n${after}`)
  }

  /**
   * Write a picture into the folder of the documents
   */
  async picture (name: string, svg: string): Promise<void> {
    if (this.isWhole) {
      await writeFile(path.join(DOCS, name), svg)
    }
  }

  private async find (
    document: string,
    section: string
  ): Promise<Record<'file' | 'before' | 'content' | 'after', string>> {
    const file = path.join(DOCS, document)
    const text = await readFile(file, 'utf8')
    const [start, end] = [`<!-- report:${section} -->`, `<!-- /report:${section} -->`]

    if (!text.includes(start) || !text.includes(end)) {
      throw new LabError(`docs/${document} has no place for ${section}, between ${start} and ${end}`)
    }

    const [first, last] = [text.indexOf(start) + start.length, text.indexOf(end)]

    return { file, before: text.slice(0, first), content: text.slice(first, last), after: text.slice(last) }
  }

  /**
   * The figures that a document has already
   */
  private async rowsOf (document: string, section: string): Promise<string[][]> {
    const { content } = await this.find(document, section)

    // without the heads, and the line below them
    return content.split('\n').filter(line => line.startsWith('|')).slice(2)
      .map(line => line.split('|').slice(1, -1).map(cell => cell.trim()))
  }
}

/**
 * Rows whose first cell is the same are replaced, the others are added
 */
export function replaceRows (rows: string[][], by: string[][]): string[][] {
  return [
    ...rows.map(row => by.find(([title]) => title === row[0]) ?? row),
    ...by.filter(([title]) => !rows.some(row => row[0] === title))
  ]
}
