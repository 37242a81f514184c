/** Our own API, with the session that the page has. */

export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {{code: string, detail: string, attr: ?string}[]} errors
   */
  constructor(status, errors) {
    super(errors[0]?.detail ?? "");
    this.name = "ApiError";
    this.status = status;
    this.code = errors[0]?.code ?? "";
    this.errors = errors;
  }
}

/**
 * Call the API and return the JSON of the response, null if there is none. Raises an ApiError for a refusal.
 * @param {string} method
 * @param {string} path below ``/api/v1/``
 * @param {object} [body]
 * @param {RequestInit} [options]
 */
export async function call(method, path, body, options = {}) {
  const answer = await fetch(`/api/v1/${path}`, {
    method,
    headers: {
      Accept: "application/json",
      ...(body ? { "Content-Type": "application/json" } : {}),
      ...(method === "GET" ? {} : { "X-CSRFToken": cookie("csrftoken") }),
    },
    body: body ? JSON.stringify(body) : undefined,
    credentials: "same-origin",
    ...options,
  });
  const isJson = answer.headers.get("Content-Type")?.includes("json");
  const content = isJson ? await answer.json() : null;
  if (!answer.ok) throw new ApiError(answer.status, content?.errors ?? []);
  return content;
}

/** @param {string} name */
export function cookie(name) {
  const found = cookies().split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

/** Return the cookies, which a sandboxed frame may not read. */
function cookies() {
  try {
    return document.cookie;
  } catch {
    return "";
  }
}
