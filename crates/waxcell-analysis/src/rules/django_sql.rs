//! B610 and B611: SQL past Django's own.

use ruff_python_ast::Expr;

use super::{Check, Rule};
use crate::call::Call;
use crate::context::Context;
use crate::finding::{Class, Confidence, Severity};
use crate::found::Found;
use crate::value::string;

const SQL: Rule = Rule {
    id: "",
    class: Class::Hygiene,
    name: "",
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    cwe: 89,
    summary: "SQL is built that Django does not check",
    why: "What is put into the text of a query is part of the query.",
    help: "write the query out and pass values as parameters",
    fires: "",
    silent: "",
    differs: None,
    check: Check::Call(extra),
};

pub(super) static EXTRA: Rule = Rule {
    id: "B610",
    class: Class::Hygiene,
    name: "django_extra_used",
    fires: "User.objects.filter().extra(where=['name = ' + name])\n",
    silent: "User.objects.filter().extra(where=['name = %s'], params=[name])\n",
    ..SQL
};

pub(super) static RAW_SQL: Rule = Rule {
    id: "B611",
    class: Class::Hygiene,
    name: "django_rawsql_used",
    fires: "from django.db.models.expressions import RawSQL\nUser.objects.annotate(v=RawSQL(query, []))\n",
    silent: "from django.db.models.expressions import RawSQL\nUser.objects.annotate(v=RawSQL('1 + %s', [x]))\n",
    check: Check::Call(raw_sql),
    ..SQL
};

fn extra<'a>(call: &Call<'a>, _: &Context<'a>) -> Option<Found> {
    if call.name() != "extra" {
        return None;
    }
    let argument = |position: usize, name: &str| {
        let keyword = || call.keyword(name).map(|keyword| &keyword.value);
        call.args().get(position).or_else(keyword)
    };
    let lists = [argument(1, "where"), argument(3, "tables")];
    let written_out = lists.into_iter().flatten().all(is_list_of_strings)
        && argument(0, "select").is_none_or(is_dictionary_of_strings);
    (!written_out).then(|| call.found())
}

fn is_list_of_strings(argument: &Expr) -> bool {
    matches!(argument, Expr::List(list) if list.elts.iter().all(|one| string(one).is_some()))
}

fn is_dictionary_of_strings(argument: &Expr) -> bool {
    let Expr::Dict(dict) = argument else { return false };
    dict.items.iter().all(|item| {
        item.key.as_ref().is_some_and(|key| string(key).is_some()) && string(&item.value).is_some()
    })
}

fn raw_sql<'a>(call: &Call<'a>, context: &Context<'a>) -> Option<Found> {
    if call.name() != "RawSQL" || !context.imports.mention("django.db.models") {
        return None;
    }
    let query = call.args().first().or_else(|| call.keyword("sql").map(|sql| &sql.value))?;
    string(query).is_none().then(|| call.found())
}
