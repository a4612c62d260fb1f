/**
 * Several ways to the same result, tried side by side. The first that succeeds counts.
 * They have failed once all have.
 */
export class Attempts<T> {
  private readonly settled = Promise.withResolvers<T>()
  private readonly errors: Error[] = []
  private pending = 0

  constructor () {
    // it may fail before anybody waits for it
    this.settled.promise.catch(() => {})
  }

  /**
   * @throws the error of the only attempt, or an `AggregateError` that names all
   */
  get result (): Promise<T> {
    return this.settled.promise
  }

  add (attempt: Promise<T>): void {
    this.pending++
    attempt.then(this.settled.resolve, err => {
      this.pending--
      this.errors.push(err)

      if (this.pending === 0) {
        this.settled.reject(this.errors.length === 1
          ? err
          : new AggregateError(this.errors, this.errors.map(({ message }) => message).join(', ')))
      }
    })
  }
}
