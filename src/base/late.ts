/** Nothing came in time. */
export class Late extends Error {
  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
    this.name = 'Late';
  }
}

/** What a promise resolves to; throws Late when it takes longer. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, failed) => {
    timer = setTimeout(() => failed(new Late(ms)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
