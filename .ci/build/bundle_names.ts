/** The modules of a bundle, the names that they declare, and the places where those are used. */
import ts from "npm:typescript@5.9.3";

/** The line with which the bundler begins each module. */
const MODULE = /^\/\/ \S+\.[cm]?[jt]s$/gm;

/** What stands at the top level of a bundle. */
export interface BundleNames {
  /** The offsets at which the modules begin, ascending; the last one is where the exports begin. */
  readonly starts: readonly number[];
  /** What the modules declare, by its name, which no other declaration of the bundle has. */
  readonly declarations: ReadonlyMap<string, Declaration>;
  readonly uses: readonly Use[];
  /** The bundle's exports: the name inside, and the one outside. */
  readonly exports: readonly (readonly [local: string, exported: string])[];
}

/** A declaration at the top level. */
export interface Declaration {
  /** The index of its module. */
  readonly module: number;
  readonly isFunction: boolean;
}

/** A place where a name of the top level is read or set. */
export interface Use {
  readonly name: string;
  readonly at: number;
  /** The index of the module that it stands in. */
  readonly module: number;
  /** The name is that of a property, too: `{ name }`. */
  readonly isShorthand: boolean;
  /** What `new` calls. */
  readonly isConstructed: boolean;
  readonly isSet: boolean;
}

/**
 * Reads a bundle.
 *
 * @throws {Error} If an inner scope declares a name of the top level again: the bundler renames such names.
 */
export function bundleNames(bundle: string): BundleNames {
  const file = ts.createSourceFile("bundle.js", bundle, ts.ScriptTarget.ESNext, true);
  const exporting = file.statements.findLast(ts.isExportDeclaration);
  if (exporting?.exportClause === undefined || !ts.isNamedExports(exporting.exportClause)) {
    throw new Error("the bundle does not end with exports");
  }
  const starts = [
    0,
    ...[...bundle.matchAll(MODULE)].map(({ index }) => index),
    exporting.getStart(file),
  ];
  const moduleAt = (at: number): number => {
    let low = 0, high = starts.length - 2;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  };

  const declarations = new Map<string, Declaration>();
  for (const statement of file.statements) {
    for (const name of declaredIn(statement)) {
      declarations.set(name.text, {
        module: moduleAt(name.getStart(file)),
        isFunction: ts.isFunctionDeclaration(statement),
      });
    }
  }

  const uses: Use[] = [];
  const visit = (node: ts.Node, isInner: boolean): void => {
    if (ts.isIdentifier(node) && declarations.has(node.text) && !isPropertyName(node)) {
      if (isDeclared(node)) {
        // The name of a function or a class stands in the scope around it.
        if (isInner) throw new Error(`an inner scope declares ${node.text} again`);
      } else {
        const at = node.getStart(file);
        uses.push({
          name: node.text,
          at,
          module: moduleAt(at),
          isShorthand: ts.isShorthandPropertyAssignment(node.parent),
          isConstructed: isConstructed(node),
          isSet: isSet(node),
        });
      }
      return;
    }
    node.forEachChild((child) =>
      visit(child, isInner || isScope(node) && !(ts.isFunctionDeclaration(node) && child === node.name))
    );
  };
  file.statements.forEach((statement) => statement !== exporting && visit(statement, false));
  const exports = exporting.exportClause.elements.map(({ propertyName, name }) =>
    [(propertyName ?? name).text, name.text] as const
  );
  return { starts, declarations, uses, exports };
}

/** The names that a statement of the top level declares. */
function declaredIn(statement: ts.Statement): readonly ts.Identifier[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) => boundBy(name));
  }
  const isNamed = ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement);
  return isNamed && statement.name !== undefined ? [statement.name] : [];
}

/** The names in a pattern. */
function boundBy(name: ts.BindingName): readonly ts.Identifier[] {
  return ts.isIdentifier(name)
    ? [name]
    : name.elements.flatMap((element) => ts.isBindingElement(element) ? boundBy(element.name) : []);
}

function isScope(node: ts.Node): boolean {
  return ts.isFunctionLike(node) || ts.isClassStaticBlockDeclaration(node);
}

/** Whether an identifier is no name of a scope: it is a property's, a label, or of the language. */
function isPropertyName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isBindingElement(parent)) return parent.propertyName === node;
  if (
    ts.isPropertyAssignment(parent) || ts.isMethodDeclaration(parent) || ts.isAccessor(parent) ||
    ts.isPropertyDeclaration(parent)
  ) return parent.name === node;
  return ts.isMetaProperty(parent) || ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent);
}

function isDeclared(node: ts.Identifier): boolean {
  const { parent } = node;
  return (ts.isVariableDeclaration(parent) || ts.isParameter(parent) || ts.isBindingElement(parent) ||
    ts.isFunctionDeclaration(parent) || ts.isFunctionExpression(parent) || ts.isClassDeclaration(parent) ||
    ts.isClassExpression(parent)) && parent.name === node;
}

/** Whether `new` calls the value, or a member of it. */
function isConstructed(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isNewExpression(parent)) return parent.expression === node;
  const isMember = ts.isPropertyAccessExpression(parent) || ts.isElementAccessExpression(parent);
  return isMember && parent.expression === node && isConstructed(parent);
}

/** Whether a name gets another value: by an operator, in a pattern, or by a loop. */
function isSet(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isBinaryExpression(parent)) {
    const { kind } = parent.operatorToken;
    return parent.left === node && kind >= ts.SyntaxKind.FirstAssignment &&
      kind <= ts.SyntaxKind.LastAssignment;
  }
  if (ts.isPrefixUnaryExpression(parent) || ts.isPostfixUnaryExpression(parent)) {
    return [ts.SyntaxKind.PlusPlusToken, ts.SyntaxKind.MinusMinusToken].includes(parent.operator);
  }
  if (ts.isForOfStatement(parent) || ts.isForInStatement(parent)) return parent.initializer === node;
  const isPart = ts.isArrayLiteralExpression(parent) || ts.isObjectLiteralExpression(parent) ||
    ts.isSpreadElement(parent) || ts.isSpreadAssignment(parent) ||
    ts.isShorthandPropertyAssignment(parent) || ts.isPropertyAssignment(parent);
  return isPart && isSet(parent);
}
