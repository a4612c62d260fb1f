import { styleText } from 'node:util'

/**
 * Tells what happens: to a person, or with `json` to a machine
 */
export class Narrator {
  private readonly json: boolean
  private readonly start = Date.now()

  constructor (json: boolean) {
    this.json = json
  }

  chapter (title: string): void {
    if (!this.json) {
      process.stdout.write(`\n${this.style('bold', title)}\n`)
    }
  }

  /**
   * One thing that happened. `event` and `detail` are for machines.
   */
  tell (text: string, event: string, detail: object = {}): void {
    if (this.json) {
      process.stdout.write(`${JSON.stringify({ ...detail, event, ms: Date.now() - this.start })}\n`)
    } else {
      process.stdout.write(`${wrap(text)}\n`)
    }
  }

  /**
   * An address, or another thing to look at
   */
  name (text: string): string {
    return this.json ? text : this.style('cyan', text)
  }

  good (text: string): string {
    return this.json ? text : this.style('green', text)
  }

  bad (text: string): string {
    return this.json ? text : this.style('yellow', text)
  }

  private style (format: Parameters<typeof styleText>[0], text: string): string {
    return process.stdout.isTTY && process.env.NO_COLOR == null ? styleText(format, text) : text
  }
}

/**
 * At 80 columns, indented by two
 */
function wrap (text: string): string {
  const lines: string[] = []
  let line = ' '

  for (const word of text.split(' ')) {
    // eslint-disable-next-line no-control-regex
    const length = `${line} ${word}`.replace(/\u001b\[[0-9;]*m/g, '').length

    if (length > 78 && line !== ' ') {
      lines.push(line)
      line = ' '
    }

    line += ` ${word}`
  }

  return [...lines, line].join('\n')
}
