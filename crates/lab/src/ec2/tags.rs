//! `CreateTags`, `DeleteTags`, `DescribeTags`.

use super::filters::{Filters, one};
use super::paging::page;
use super::{Answer, Element, Params, yes};
use crate::Cloud;
use crate::model::{Refusal, Tags};

fn resources(params: &Params) -> Result<Vec<String>, Refusal> {
    let resources = params.list("ResourceId");
    if resources.is_empty() { Err(Refusal::missing("resourceIdSet")) } else { Ok(resources) }
}

pub(super) fn create(cloud: &mut Cloud, params: &Params) -> Answer {
    let tags = params.tags("Tag");
    if tags.is_empty() {
        return Err(Refusal::missing("tagSet"));
    }
    cloud.create_tags(&resources(params)?, &tags)?;
    Ok(yes())
}

pub(super) fn delete(cloud: &mut Cloud, params: &Params) -> Answer {
    let tags = params.numbers("Tag").into_iter().filter_map(|number| {
        let key = params.get(&format!("Tag.{number}.Key"))?.to_owned();
        Some((key, params.get(&format!("Tag.{number}.Value")).map(str::to_owned)))
    });
    let tags: Vec<_> = tags.collect();
    cloud.delete_tags(&resources(params)?, &tags)?;
    Ok(yes())
}

pub(super) fn describe(cloud: &Cloud, params: &Params) -> Answer {
    let filters = Filters::read(params, &["key", "resource-id", "resource-type", "value"])?;
    let mut items = Vec::new();
    for (id, kind, tags) in cloud.all_tags() {
        for (key, value) in tags {
            let only = Tags::from([(key.clone(), value.clone())]);
            let passes = filters.pass(&only, |name| match name {
                "key" => one(Some(key)),
                "resource-id" => one(Some(id)),
                "resource-type" => one(Some(kind)),
                _ => one(Some(value)),
            });
            if passes {
                let item = Element::new("item")
                    .text("resourceId", id)
                    .text("resourceType", kind)
                    .text("key", key)
                    .text("value", value);
                items.push((format!("{id} {key}"), item));
            }
        }
    }
    page(params, 5..=1000, "tagSet", items)
}
