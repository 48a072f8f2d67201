/** A piece of text that stands once in a file, and what to put in its place. */
export interface Change {
  file: string;
  remove: string;
  put: string;
}

/** A guard of the product, the change that takes it out, and the test that must notice. */
export interface Guard extends Change {
  /** What is guarded, in one sentence. */
  guard: string;
  /** Where what is guarded twice has to go as well. */
  also?: Change[];
  /** The test's file, and its exact name. */
  test: string;
  name: string;
}
